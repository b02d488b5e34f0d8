package tidy

import (
	"go/ast"
	"go/token"
	"slices"
)

// plain are methods whose meaning the standard library fixes.
var plain = []string{"Error", "String", "Unwrap"}

// checkDocs wants a doc comment on each package and on each exported name
// outside test files: types, functions, methods of exported types, methods of
// exported interfaces, constants and variables. A comment on a group of
// constants or variables serves them all.
func checkDocs(t *tree, _ *Rules, r *Report) {
	documented := make(map[string]bool) // packages
	for _, f := range t.parsed() {
		if f.test {
			continue
		}
		documented[f.dir] = documented[f.dir] || f.syntax.Doc != nil
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				recv := receiver(d)
				hidden := recv != "" && (!ast.IsExported(recv) || slices.Contains(plain, d.Name.Name))
				if d.Name.IsExported() && d.Doc == nil && !hidden {
					r.add(f.path, t.line(d.Pos()), "%s is exported and has no doc comment", funcName(d))
				}
			case *ast.GenDecl:
				checkDeclDocs(t, f, d, r)
			}
		}
	}
	for dir, ok := range documented {
		if !ok {
			r.add(dir, 0, "the package has no doc comment")
		}
	}
}

func checkDeclDocs(t *tree, f *goFile, d *ast.GenDecl, r *Report) {
	grouped := d.Doc != nil && d.Tok != token.TYPE || d.Doc != nil && !d.Lparen.IsValid()
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && !grouped {
				r.add(f.path, t.line(spec.Pos()), "type %s is exported and has no doc comment", spec.Name.Name)
			}
			if iface, ok := spec.Type.(*ast.InterfaceType); ok && spec.Name.IsExported() {
				checkInterfaceDocs(t, f, spec.Name.Name, iface, r)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc == nil && spec.Comment == nil && !grouped {
					r.add(f.path, t.line(name.Pos()), "%s is exported and has no doc comment", name.Name)
				}
			}
		}
	}
}

func checkInterfaceDocs(t *tree, f *goFile, typeName string, iface *ast.InterfaceType, r *Report) {
	for _, m := range iface.Methods.List {
		for _, name := range m.Names {
			if name.IsExported() && m.Doc == nil && m.Comment == nil && !slices.Contains(plain, name.Name) {
				r.add(f.path, t.line(name.Pos()), "%s.%s is exported and has no doc comment", typeName, name.Name)
			}
		}
	}
}
