// nothing: what the cost of a start is measured with.
int main(void) { return 0; }
