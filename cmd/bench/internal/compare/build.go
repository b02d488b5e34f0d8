package compare

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildDir is where Maven puts what it builds, inside a peer's folder. It is hidden,
// so that nothing that walks the repository looks into it.
const buildDir = ".target"

// Build compiles a peer by Maven, unless what is there was made of the same sources.
func Build(ctx context.Context, dir string) error {
	sum, err := sources(dir)
	if err != nil {
		return fmt.Errorf("compare: the sources of a peer: %w", err)
	}
	stamp := filepath.Join(dir, buildDir, "sources.sha256")
	if had, err := os.ReadFile(stamp); err == nil && bytes.Equal(had, sum) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(dir, buildDir)); err != nil {
		return fmt.Errorf("compare: the last build of a peer: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "process-classes")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compare: building %s by Maven: %w: %s", filepath.Base(dir), err, strings.TrimSpace(string(out)))
	}
	if err := os.WriteFile(stamp, sum, 0o600); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

// sources is the digest of everything a peer is built from.
func sources(dir string) ([]byte, error) {
	digest := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == buildDir:
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".java" && d.Name() != "pom.xml":
			return nil
		}
		content, err := os.ReadFile(path)
		fmt.Fprintf(digest, "%s %d\n", path[len(dir):], len(content))
		_, _ = digest.Write(content) // a digest takes everything
		return err
	})
	return fmt.Appendf(nil, "%x", digest.Sum(nil)), err
}
