package main

import (
	"fmt"
	"testing"
)

func TestQuantile(t *testing.T) {
	hundred := make(distribution)
	for i := range 100 {
		hundred[fmt.Sprint("f", i)] = i + 1
	}
	for _, c := range []struct {
		name    string
		of      distribution
		p, want int
	}{
		{"of none", nil, 50, 0},
		{"of one", distribution{"f": 7}, 99, 7},
		{"median of two is the larger", distribution{"f": 1, "g": 2}, 50, 2},
		{"fifty lie before the median", hundred, 50, 51},
		{"ninety-nine lie before p99", hundred, 99, 100},
	} {
		if got := c.of.quantile(c.p); got != c.want {
			t.Errorf("%s: p%d is %d, want %d", c.name, c.p, got, c.want)
		}
	}
}

func TestLargestOfEqualsIsTheFirst(t *testing.T) {
	name, value := distribution{"g": 2, "f": 2, "a": 1}.largest()
	if name != "f" || value != 2 {
		t.Errorf("got %s with %d, want f with 2", name, value)
	}
}
