package tidy

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// reference is how a text names a place in the code: path/file.go:Name, where
// Name is a function, a type, or Type.Method.
var reference = regexp.MustCompile(`([\w./-]+\.go):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)`)

// checkReferences follows the references of all Markdown files, so that design
// notes name what exists. A path is relative to the root or to the note.
func checkReferences(t *tree, _ *Rules, r *Report) {
	names := declared(t)
	for file, text := range t.texts {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			for _, m := range reference.FindAllStringSubmatch(line, -1) {
				target, name := m[1], m[2]
				fromRoot, fromNote := names[path.Clean(target)], names[path.Join(path.Dir(file), target)]
				switch {
				case fromRoot == nil && fromNote == nil:
					r.add(file, i+1, "names %s, and there is no such file", target)
				case !fromRoot[name] && !fromNote[name]:
					r.add(file, i+1, "names %s in %s, which is not there", name, target)
				}
			}
		}
	}
}

// declared lists per file the names it declares at top level.
func declared(t *tree) map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for _, f := range t.parsed() {
		names := make(map[string]bool)
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[funcName(d)] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[spec.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							names[n.Name] = true
						}
					}
				}
			}
		}
		all[f.path] = names
	}
	return all
}
