package tidy

import (
	"go/ast"
	"slices"
	"strconv"
)

// impure are standard packages that bring in what a pure package must be given
// from outside: locks, randomness, input and output.
var impure = []string{
	"crypto/rand", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http",
	"os", "os/exec", "os/signal", "runtime", "sync", "sync/atomic", "syscall",
}

// clocks are functions of package time that read or wait for the clock.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// checkPurity keeps the deterministic rooms free of concurrency and the outer
// world, so that the same inputs always give the same outputs. Test files may do
// as they like.
func checkPurity(t *tree, rules *Rules, r *Report) {
	for _, f := range t.parsed() {
		if f.test || !slices.Contains(rules.Pure, f.dir) {
			continue
		}
		for _, imp := range f.syntax.Imports {
			if name, err := strconv.Unquote(imp.Path.Value); err == nil && slices.Contains(impure, name) {
				r.add(f.path, t.line(imp.Pos()), "%s is deterministic and may not import %s", f.dir, name)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if what := impurity(n); what != "" {
				r.add(f.path, t.line(n.Pos()), "%s is deterministic and may not have a %s", f.dir, what)
			}
			return true
		})
	}
}

// impurity names what makes a node impure; empty for any other node.
func impurity(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement"
	case *ast.ChanType:
		return "channel"
	case *ast.SelectStmt:
		return "select"
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
			return "time." + n.Sel.Name
		}
	}
	return ""
}
