// Command measure prints what a tree of Go code is made of: how long its
// files and functions are, how its names and comments are written. It shows
// whether a sweep over the code has changed what it was meant to change. It
// judges nothing: what must hold is in cmd/internal/tidy.
//
//	go run ./cmd/internal/measure          this module
//	go run ./cmd/internal/measure FOLDER   another tree
//
// # What is read
//
// Files that end in .go, below the folder. Left out are generated files and
// the folders .x, _x, testdata, vendor, and those with a go.mod of their own.
// "tests" are the files that end in _test.go, "code" the others. A package is
// a folder. Build tags exclude nothing: a function that is written for two
// systems counts twice.
//
// # What the figures mean
//
//   - A quantile pNN is the value before which NN percent of the values lie
//     when they are in order; p50 is the median.
//   - Lines of a file are all its lines. Lines of a function go from the word
//     func to its closing brace, its doc comment not included. Only functions
//     and methods at top level count; a literal is part of the one around it.
//   - A name has one word if camel case and underscores split it into one.
//     "Functions" are functions and methods with an unexported name, without
//     main, init and _. "Types" are types with an unexported name, also those
//     within functions.
//   - A comment line holds nothing but a comment. A comment after code is on
//     a line of code. The share is taken twice: of all lines, blank ones
//     included, and of the lines that are not blank.
//   - An exported name is a type, function, constant or variable at top level,
//     or a method of an exported type, String and Error included. The comment
//     of a group of constants or variables documents each of them; that of a
//     group of types does not.
//   - "behind" is counted as a word in all comments, those on lines of code
//     included; "says that" in the doc comments of packages, functions, types,
//     values, fields and methods of interfaces.
//   - The largest type has the most fields and methods together. An embedded
//     field is one field; methods of an interface and promoted ones are none.
//   - A name of windowing or state is named by users if user-level code spells
//     it out, as windowing.Name. User-level code is cmd/examples, the files
//     example*_test.go of external test packages, and the Go code in the
//     README that parses. Only names at top level count, no methods. A type
//     that users get from a function without spelling it is not named.
package main
