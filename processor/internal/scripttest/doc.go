// Package scripttest runs scripts: tests that are text. A script tells a story in
// commands, and below each stands what it prints. The engine and the form of the
// files are those of github.com/cockroachdb/datadriven, as etcd/raft and Pebble use
// them:
//
//	# A comment says what holds and why.
//	put left partition=1
//	1000 k a
//	----
//	left[1] ends at 1
//
// What a command prints is compared with what stands below its "----", up to a
// blank line. With -rewrite the file is written anew with what is printed now; the
// diff is then to be read as any other change.
//
// This package adds the grammar. A language is a list of Commands, and each says by
// its Usage what may be given with it. A script with an unknown command, an unknown
// argument, a value that cannot be read, or too many or too few of anything fails
// with file:line and the usage: a misspelt word never is a test that tests less.
// Only tests import this package.
package scripttest
