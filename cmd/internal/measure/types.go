package main

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
)

// size is what a type has.
type size struct{ fields, methods int }

// largestType is the type with the most fields and methods together, after both
// numbers; "-" if no type has any.
func largestType(files []*file) string {
	sizes := typeSizes(files)
	most, largest := "", size{}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		if s := sizes[name]; s.fields+s.methods > largest.fields+largest.methods {
			most, largest = name, s
		}
	}
	if most == "" {
		return "-"
	}
	return fmt.Sprintf("%d + %d  %s", largest.fields, largest.methods, most)
}

// typeSizes are the sizes of the types at top level, by folder and name. Given
// only the code, methods that tests add to its types do not count.
func typeSizes(files []*file) map[string]size {
	sizes := make(map[string]size)
	for _, f := range files {
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if recv := receiver(d); recv != "" {
					s := sizes[f.typeName(recv)]
					s.methods++
					sizes[f.typeName(recv)] = s
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok {
						s := sizes[f.typeName(spec.Name.Name)]
						s.fields = fields(spec)
						sizes[f.typeName(spec.Name.Name)] = s
					}
				}
			}
		}
	}
	return sizes
}

// fields counts those of a struct; other types have none.
func fields(spec *ast.TypeSpec) (n int) {
	if s, ok := spec.Type.(*ast.StructType); ok {
		for _, f := range s.Fields.List {
			n += max(1, len(f.Names)) // embedded ones have no name
		}
	}
	return n
}

// typeName tells types of the same name in different packages apart.
func (f *file) typeName(name string) string {
	if f.dir == "." {
		return name
	}
	return f.dir + "." + name
}
