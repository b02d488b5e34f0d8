// Package listing lists what packages export, one declaration a line, so that
// a change of the public interface is seen in a review as a change of a file.
package listing

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Of lists the exported declarations of the package in a folder, tests apart:
// functions and methods by their signatures, types with their exported fields
// and methods, constants and variables by name and type, each on one line, in
// the order of the alphabet.
func Of(fsys fs.FS, folder string) ([]string, error) {
	files, err := fs.Glob(fsys, path.Join(folder, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	l := &lister{fset: token.NewFileSet()}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
		f, err := parser.ParseFile(l.fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("listing: %w", err)
		}
		l.file(f)
	}
	slices.Sort(l.lines)
	return l.lines, nil
}

type lister struct {
	fset  *token.FileSet
	lines []string
}

func (l *lister) file(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d)) {
				l.add("", &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				l.spec(d.Tok, spec)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func (l *lister) spec(tok token.Token, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			l.typed(s)
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if !n.IsExported() {
				continue
			}
			if s.Type != nil {
				l.add(tok.String()+" "+n.Name+" ", s.Type)
			} else {
				l.lines = append(l.lines, tok.String()+" "+n.Name)
			}
		}
	}
}

// typed lists a type, and each exported field or method of its own on a line.
func (l *lister) typed(s *ast.TypeSpec) {
	switch t := s.Type.(type) {
	case *ast.StructType:
		l.add("type ", &ast.TypeSpec{Name: s.Name, TypeParams: s.TypeParams, Assign: s.Assign, Type: ast.NewIdent("struct")})
		l.members("type "+s.Name.Name+" struct, ", t.Fields)
	case *ast.InterfaceType:
		l.add("type ", &ast.TypeSpec{Name: s.Name, TypeParams: s.TypeParams, Assign: s.Assign, Type: ast.NewIdent("interface")})
		l.members("type "+s.Name.Name+" interface, ", t.Methods)
	default:
		l.add("type ", s)
	}
}

func (l *lister) members(prefix string, list *ast.FieldList) {
	for _, f := range list.List {
		if len(f.Names) == 0 {
			l.add(prefix, f.Type)
		}
		for _, n := range f.Names {
			if n.IsExported() {
				l.add(prefix+n.Name+" ", f.Type)
			}
		}
	}
}

// add prints a node on one line.
func (l *lister) add(prefix string, node any) {
	if s, ok := node.(*ast.TypeSpec); ok {
		s = &ast.TypeSpec{Name: s.Name, TypeParams: s.TypeParams, Assign: s.Assign, Type: s.Type}
		node = s
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, l.fset, node); err != nil {
		fmt.Fprintf(&b, "%v", err) // a listing that differs is looked at
	}
	l.lines = append(l.lines, prefix+strings.Join(strings.Fields(b.String()), " "))
}
