module dormouse/ring

go 1.19
