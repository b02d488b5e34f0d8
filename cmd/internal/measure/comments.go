package main

import (
	"go/ast"
	"regexp"
	"strings"
)

// commentLines counts the lines that hold nothing but a comment.
func commentLines(files []*file) (n int) {
	for _, f := range files {
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				first := f.line(c.Pos())
				n += f.line(c.End()) - first + 1
				if before := f.text[first-1][:f.column(c.Pos())-1]; strings.TrimSpace(before) != "" {
					n-- // it begins on a line of code
				}
			}
		}
	}
	return n
}

// commentShare is the share of comment lines among all lines.
func commentShare(files []*file) share {
	s := share{part: commentLines(files)}
	for _, f := range files {
		s.whole += len(f.text)
	}
	return s
}

// denseCommentShare is the share of comment lines among those not blank.
func denseCommentShare(files []*file) share {
	s := commentShare(files)
	for _, f := range files {
		for _, line := range f.text {
			if strings.TrimSpace(line) == "" {
				s.whole--
			}
		}
	}
	return s
}

// behind is how often comments say so, beside the number of comment lines.
func behind(files []*file) share {
	word := regexp.MustCompile(`(?i)\bbehind\b`)
	s := share{whole: commentLines(files)}
	for _, f := range files {
		for _, group := range f.syntax.Comments {
			s.part += len(word.FindAllString(group.Text(), -1))
		}
	}
	return s
}

// saysThat is how often doc comments say so.
func saysThat(files []*file) (n int) {
	words := regexp.MustCompile(`\bsays\s+that\b`)
	for _, f := range files {
		ast.Inspect(f.syntax, func(node ast.Node) bool {
			n += len(words.FindAllString(doc(node).Text(), -1))
			return true
		})
	}
	return n
}

// doc is the doc comment of a declaration; nil where there is none.
func doc(n ast.Node) *ast.CommentGroup {
	switch n := n.(type) {
	case *ast.File:
		return n.Doc
	case *ast.FuncDecl:
		return n.Doc
	case *ast.GenDecl:
		return n.Doc
	case *ast.TypeSpec:
		return n.Doc
	case *ast.ValueSpec:
		return n.Doc
	case *ast.Field:
		return n.Doc
	}
	return nil
}
