package tidy

import (
	"path"
	"regexp"
	"strings"
)

// number is how code cites an invariant: a letter of a list and a number.
var number = regexp.MustCompile(`\b[GRI][1-9][0-9]?\b`)

// held is how the list names a test, or all whose names begin alike.
var held = regexp.MustCompile("`(Test\\w+)(\\.\\.\\.)?`")

// checkNumbers follows the numbers that Go files cite to the list of their part
// of the tree: a row of a table that begins with the number. A number that is
// cited and not listed tells a reader nothing, and one that is listed twice tells
// two things. The tests that the list names have to exist.
func checkNumbers(t *tree, rules *Rules, r *Report) {
	for folder, list := range rules.Numbers {
		checkHeld(t, folder, list, r)
		listed := rows(t, list, r)
		for file, text := range t.texts {
			if path.Ext(file) != ".go" || !strings.HasPrefix(file, folder+"/") {
				continue
			}
			for i, line := range strings.Split(text, "\n") {
				for _, n := range number.FindAllString(line, -1) {
					if !listed[n] {
						r.add(file, i+1, "cites %s, which %s does not list", n, list)
					}
				}
			}
		}
	}
}

// rows are the numbers that begin a row of a table in a file.
func rows(t *tree, file string, r *Report) map[string]bool {
	listed := map[string]bool{}
	for i, line := range strings.Split(t.texts[file], "\n") {
		cell, ok := strings.CutPrefix(line, "| ")
		if !ok {
			continue
		}
		n, _, _ := strings.Cut(cell, " ")
		if number.FindString(n) != n || n == "" {
			continue
		}
		if listed[n] {
			r.add(file, i+1, "lists %s twice", n)
		}
		listed[n] = true
	}
	return listed
}

// checkHeld looks for the tests that a list names.
func checkHeld(t *tree, folder, list string, r *Report) {
	names := declared(t)
	exists := func(name string, more bool) bool {
		for file, declared := range names {
			if !strings.HasPrefix(file, folder+"/") || !strings.HasSuffix(file, "_test.go") {
				continue
			}
			for d := range declared {
				if d == name || more && strings.HasPrefix(d, name) {
					return true
				}
			}
		}
		return false
	}
	for i, line := range strings.Split(t.texts[list], "\n") {
		for _, m := range held.FindAllStringSubmatch(line, -1) {
			if !exists(m[1], m[2] != "") {
				r.add(list, i+1, "names %s, and %s has no such test", m[1], folder)
			}
		}
	}
}
