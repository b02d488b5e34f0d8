package tidy

import (
	"slices"
	"strconv"
	"strings"
)

// checkImports holds each package to its row. Test files may import everything
// below their package, conformance suites (packages named ...test) and the test
// libraries.
func checkImports(t *tree, rules *Rules, r *Report) {
	strangers := make(map[string]bool) // packages without a row, reported once
	for _, f := range t.parsed() {
		row, ok := rules.row(f.dir)
		if !ok {
			if !strangers[f.dir] {
				r.add(f.dir, 0, "has no row in the import table; give it one in cmd/internal/tidy/table.go")
			}
			strangers[f.dir] = true
			continue
		}
		allowed := row.Imports
		if f.test {
			allowed = slices.Concat(rules.below(row), []string{f.dir}, row.Tests, rules.TestImports)
		}
		for _, imp := range f.syntax.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil || isStandard(name) {
				continue
			}
			name = strings.TrimPrefix(name, rules.Module+"/")
			if matchesAny(allowed, name) || f.test && isSuite(rules, name) {
				continue
			}
			r.add(f.path, t.line(imp.Pos()), "%s may not import %s (allowed: %s); move the code down or hand in what it needs from above",
				f.dir, name, strings.Join(row.Imports, " "))
		}
	}
}

// isStandard reports whether the import is of the standard library: its first
// element has no dot.
func isStandard(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !strings.Contains(first, ".")
}

// isSuite reports whether the package (of this module) is a conformance suite
// that ships with the interface it tests.
func isSuite(rules *Rules, name string) bool {
	_, ours := rules.row(name)
	return ours && strings.HasSuffix(name, "test")
}
