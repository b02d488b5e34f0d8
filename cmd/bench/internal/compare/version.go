package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// dirtySuffix marks a version whose sources differ from those of its commit.
const dirtySuffix = "-dirty"

// measured are the files that a figure depends on.
func measured() []string {
	return []string{"--", "*.go", ":!*_test.go", "*.pgo", "go.mod", "go.sum", "testdata/peers"}
}

// Version names what is under test: the last commit of a source file, marked where one
// differs from it. Two marked runs need not be of the same sources.
func Version(ctx context.Context, root string) (string, error) {
	commit, err := git(ctx, root, append([]string{"log", "-1", "--abbrev=12", "--format=%h"}, measured()...)...)
	if err != nil {
		return "", err
	}
	changed, err := git(ctx, root, append([]string{"status", "--porcelain"}, measured()...)...)
	if err != nil {
		return "", err
	}
	if changed != "" {
		commit += dirtySuffix
	}
	return commit, nil
}

// Dirty reports whether a version's sources are nobody's commit.
func Dirty(version string) bool { return strings.HasSuffix(version, dirtySuffix) }

func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("compare: git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Root is the folder of the repository above the working directory.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("compare: the working directory: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "testdata", "peers")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("compare: no testdata/peers above %s: run inside the repository", start)
		}
	}
}
