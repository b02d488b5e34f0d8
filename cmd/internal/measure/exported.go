package main

import (
	"go/ast"
	"go/token"
)

// documented is the share of exported names that have a doc comment.
func documented(files []*file) (s share) {
	for _, f := range files {
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if recv := receiver(d); d.Name.IsExported() && (recv == "" || ast.IsExported(recv)) {
					s.add(d.Doc != nil)
				}
			case *ast.GenDecl:
				for _, ok := range specs(d) {
					s.add(ok)
				}
			}
		}
	}
	return s
}

// specs are the exported names of a declaration, and whether each has a doc
// comment.
func specs(d *ast.GenDecl) map[string]bool {
	names := make(map[string]bool)
	grouped := d.Doc != nil && (d.Tok != token.TYPE || !d.Lparen.IsValid())
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				names[spec.Name.Name] = grouped || spec.Doc != nil
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() {
					names[name.Name] = grouped || spec.Doc != nil || spec.Comment != nil
				}
			}
		}
	}
	return names
}

// exported are the exported names a package declares at top level, in files
// that are no tests.
func exported(files []*file, dir string) map[string]bool {
	names := make(map[string]bool)
	for _, f := range files {
		if f.dir != dir || f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for name := range specs(d) {
					names[name] = true
				}
			}
		}
	}
	return names
}
