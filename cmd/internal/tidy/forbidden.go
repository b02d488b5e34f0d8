package tidy

import (
	"slices"
	"strings"
)

// checkForbidden looks for text that ties the tree to one machine or tells who
// made it. Data from outside and go.sum are not ours to word.
func checkForbidden(t *tree, rules *Rules, r *Report) {
	for file, text := range t.texts {
		if file == "go.sum" || slices.Contains(rules.Data, file) {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			for _, f := range rules.Forbidden {
				if found := f.Pattern.FindString(line); found != "" {
					r.add(file, i+1, "says %q: %s", found, f.Why)
				}
			}
		}
	}
}
