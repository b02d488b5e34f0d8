package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// distribution is a number of lines for each thing that was counted, by the
// thing's name.
type distribution map[string]int

// quantile is the value before which p percent of the values lie; 0 if there
// are none. p is 0 to 99.
func (d distribution) quantile(p int) int {
	if len(d) == 0 {
		return 0
	}
	values := slices.Sorted(maps.Values(d))
	return values[len(values)*p/100]
}

// largest is the name of the largest value and the value. Of equals it is the
// first in the alphabet.
func (d distribution) largest() (name string, value int) {
	for _, n := range slices.Sorted(maps.Keys(d)) {
		if d[n] > value {
			name, value = n, d[n]
		}
	}
	return name, value
}

// summary has the quantiles and the largest value.
func (d distribution) summary(quantiles ...int) string {
	var values []string
	for _, p := range quantiles {
		values = append(values, fmt.Sprint(d.quantile(p)))
	}
	_, most := d.largest()
	return strings.Join(append(values, fmt.Sprint(most)), " / ")
}

func packageLines(files []*file) distribution {
	d := make(distribution)
	for _, f := range files {
		d[f.dir] += len(f.text)
	}
	return d
}

func fileLines(files []*file) distribution {
	d := make(distribution)
	for _, f := range files {
		d[f.path] = len(f.text)
	}
	return d
}

// functionLines names a function by its file and first line, so that methods
// of the same name stay apart.
func functionLines(files []*file) distribution {
	d := make(distribution)
	for f, fn := range funcs(files) {
		first := f.line(fn.Pos())
		d[fmt.Sprintf("%s:%d %s", f.path, first, fn.Name.Name)] = f.line(fn.End()) - first + 1
	}
	return d
}
