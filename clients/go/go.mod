module dormouse

go 1.19
