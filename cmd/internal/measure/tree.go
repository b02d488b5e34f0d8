package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
)

// tree is the Go code below one folder. It is filled once by readTree and then
// only read.
type tree struct {
	files  []*file
	readme []*ast.File // the Go code in README.md
}

// file is one Go file.
type file struct {
	path   string // relative to the root, with slashes
	dir    string // its package's folder
	test   bool
	fset   *token.FileSet
	syntax *ast.File
	text   []string // its lines
}

// readTree reads what the package's comment says. A file that does not parse
// is an error: no figure would count it.
func readTree(fsys fs.FS) (*tree, error) {
	t := new(tree)
	fset := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && isForeign(fsys, name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		return t.read(fsys, fset, name)
	})
	if err != nil {
		return nil, err
	}
	if len(t.files) == 0 {
		return nil, errors.New("there is none")
	}
	t.readme, err = readmeCode(fsys)
	return t, err
}

// isForeign reports whether a folder below the root holds no code of the tree.
func isForeign(fsys fs.FS, name string) bool {
	if name == "." {
		return false
	}
	last := path.Base(name)
	if strings.ContainsAny(last[:1], "._") || slices.Contains([]string{"testdata", "vendor"}, last) {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

func (t *tree) read(fsys fs.FS, fset *token.FileSet, name string) error {
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(fset, name, content, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("%s does not parse: %w", name, err)
	}
	if ast.IsGenerated(syntax) {
		return nil
	}
	t.files = append(t.files, &file{
		path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: fset, syntax: syntax,
		text: strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"),
	})
	return nil
}

// code and tests are the two halves of the tree.
func (t *tree) code() []*file  { return t.half(false) }
func (t *tree) tests() []*file { return t.half(true) }

func (t *tree) half(test bool) (files []*file) {
	for _, f := range t.files {
		if f.test == test {
			files = append(files, f)
		}
	}
	return files
}

// line and column of a position in the file; both begin at 1. A line directive
// does not move them.
func (f *file) line(pos token.Pos) int   { return f.fset.PositionFor(pos, false).Line }
func (f *file) column(pos token.Pos) int { return f.fset.PositionFor(pos, false).Column }

// funcs are the functions and methods that the files declare.
func funcs(files []*file) iter.Seq2[*file, *ast.FuncDecl] {
	return func(yield func(*file, *ast.FuncDecl) bool) {
		for _, f := range files {
			for _, d := range f.syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && !yield(f, fn) {
					return
				}
			}
		}
	}
}

// receiver is the type name of a method's receiver; empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name // the first: type parameters come after it
		}
		return name == ""
	})
	return name
}
