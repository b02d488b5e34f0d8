package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxText bounds the size of a file that is read as text, in bytes; larger
// files are data.
const maxText = 1 << 20

// tree is a repository in memory. It is filled once by readTree and then only
// read.
type tree struct {
	fset  *token.FileSet
	root  []string // names of the top level's entries
	goes  []*goFile
	texts map[string]string // every text file by path, Go files included
}

// goFile is one parsed Go file. syntax is nil if it does not parse.
type goFile struct {
	path   string
	dir    string // its package's folder
	test   bool
	lines  int
	syntax *ast.File
	err    error
}

// readTree reads all files but those in hidden folders. Hidden folders hold
// tools and caches; .ci is ours. A testdata folder holds no packages.
func readTree(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet(), texts: make(map[string]string)}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		t.root = append(t.root, e.Name())
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if strings.HasPrefix(path.Base(name), ".") && name != "." && name != ".ci" {
				return fs.SkipDir
			}
			return nil
		case name == ".git": // a file where git worktree made the checkout; it names the other one
			return nil
		}
		return t.read(fsys, name, d)
	})
	return t, err
}

func (t *tree) read(fsys fs.FS, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxText {
		return nil
	}
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	if slices.Contains(content, 0) {
		return nil // binary
	}
	text := string(content)
	t.texts[name] = text
	if strings.HasSuffix(name, ".go") && !inTestdata(name) {
		f := &goFile{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
		f.lines = strings.Count(text, "\n")
		f.syntax, f.err = parser.ParseFile(t.fset, name, text, parser.ParseComments)
		if f.err != nil {
			f.syntax = nil
		}
		t.goes = append(t.goes, f)
	}
	return nil
}

func inTestdata(name string) bool {
	return slices.Contains(strings.Split(name, "/"), "testdata")
}

// parsed are the Go files that can be looked into.
func (t *tree) parsed() (files []*goFile) {
	for _, f := range t.goes {
		if f.syntax != nil {
			files = append(files, f)
		}
	}
	return files
}

func (t *tree) line(pos token.Pos) int { return t.fset.Position(pos).Line }

// checkParsed reports Go files that do not parse: no other rule sees them.
func checkParsed(t *tree, _ *Rules, r *Report) {
	for _, f := range t.goes {
		if f.err != nil {
			r.add(f.path, 0, "does not parse: %v", f.err)
		}
	}
}

// checkRoot holds the top level to its list.
func checkRoot(t *tree, rules *Rules, r *Report) {
	for _, name := range t.root {
		if !strings.HasPrefix(name, ".") && !slices.Contains(rules.Root, name) {
			r.add(name, 0, "is no entry of the top level; move it into a room (allowed: %s)", strings.Join(rules.Root, " "))
		}
	}
}

// funcName names a function as Func or Type.Method.
func funcName(d *ast.FuncDecl) string {
	if recv := receiver(d); recv != "" {
		return recv + "." + d.Name.Name
	}
	return d.Name.Name
}

// receiver is the type name of a method's receiver, without pointer and type
// parameters; empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	for expr := d.Recv.List[0].Type; ; {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return fmt.Sprintf("%T", expr)
		}
	}
}
