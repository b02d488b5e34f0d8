package tidy

import (
	"path"
	"regexp"
	"strings"
)

// Rules is what a tree is held to. The zero value forbids every import and
// allows no root entry. Rules are only read.
type Rules struct {
	// Module is the module path of the tree.
	Module string
	// Root lists the files and folders allowed at the top level; dot-files are
	// always allowed.
	Root []string
	// Packages is the table of allowed imports, lowest room first. The first row
	// whose pattern matches a package holds.
	Packages []Package
	// TestImports are libraries outside the module that any test file may import.
	TestImports []string
	// Pure lists packages without goroutine, channel, lock, clock, randomness and
	// input or output.
	Pure []string
	// MaxFile and MaxFunction are lines, both inclusive; files above LongFile are
	// remarked on.
	MaxFile, LongFile, MaxFunction int
	// LongFunctions are exceptions to MaxFunction as "path:name". The list may
	// only shrink: an entry that is not needed any more is a finding.
	LongFunctions []string
	// Numbers is, by folder, the Markdown file whose tables list the numbers that
	// the folder's code cites: G1, R1, I1 and so on. The tests that it names are
	// in that folder.
	Numbers map[string]string
	// Banned are words that say nothing; they may be no word of a file, type or
	// package name.
	Banned []string
	// Forbidden are expressions no line of a text file may match, with the reason.
	Forbidden []Forbidden
	// Data lists files that are data from outside, not text of ours: no line of
	// theirs is looked at.
	Data []string
}

// A Package is one row of the import table.
type Package struct {
	// Pattern is a path.Match pattern over the package's folder, or a folder
	// followed by "/..." for everything below it.
	Pattern string
	// Imports are the packages it may import beside the standard library: folders
	// of this module or full paths of others, "/..." for everything below. A lone
	// "..." allows everything.
	Imports []string
	// Tests are imports that only its test files may have, beside everything
	// below the row and TestImports.
	Tests []string
}

// Forbidden is one expression and why it may not appear.
type Forbidden struct {
	Pattern *regexp.Regexp
	Why     string
}

// matches reports whether the name falls under a pattern as in Package.
func matches(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == prefix || strings.HasPrefix(name, prefix+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// row finds the table row of a package.
func (r *Rules) row(pkg string) (Package, bool) {
	for _, row := range r.Packages {
		if matches(row.Pattern, pkg) {
			return row, true
		}
	}
	return Package{}, false
}

// below is everything a row may import, directly or through what it imports.
func (r *Rules) below(row Package) []string {
	all := []string{row.Pattern}
	seen := make(map[string]bool)
	queue := append([]string(nil), row.Imports...)
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		all = append(all, next)
		if lower, ok := r.row(next); ok {
			queue = append(queue, lower.Imports...)
		}
	}
	return all
}
