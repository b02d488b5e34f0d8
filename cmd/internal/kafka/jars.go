package kafka

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copyDependencies is the Maven goal that puts a project's jars into a folder.
const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

// fetch returns the folder with the jars that pom.xml names, from the cache or,
// the first time, by Maven. The folder's name depends on the content of pom.xml,
// and it appears as a whole: processes that fetch at the same time do not disturb
// one another.
func fetch(ctx context.Context, source string) (string, error) {
	pom := filepath.Join(source, "pom.xml")
	content, err := os.ReadFile(pom)
	if err != nil {
		return "", fmt.Errorf("kafka: the list of jars: %w", err)
	}
	cache, err := cacheDir(source)
	if err != nil {
		return "", err
	}
	jars := filepath.Join(cache, fmt.Sprintf("kafka-%x", sha256.Sum256(content))[:len("kafka-")+12])
	if _, err := os.Stat(jars); err == nil {
		return jars, nil
	}
	mvn, err := find("mvn", "install Maven")
	if err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("kafka: folder for the jars: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", copyDependencies, "-f", pom, "-DoutputDirectory="+temp)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("kafka: fetching the broker's jars by Maven: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(temp, jars); err != nil {
		if _, there := os.Stat(jars); there != nil {
			return "", fmt.Errorf("kafka: storing the broker's jars: %w", err)
		}
	}
	return jars, nil
}

// cacheDir is the user's cache folder, or .cache of the repository where the user
// has none.
func cacheDir(source string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = filepath.Join(source, "..", "..", ".cache")
	}
	dir = filepath.Join(dir, "millrace")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("kafka: cache for the broker's jars: %w", err)
	}
	return dir, nil
}

// sourceDir finds testdata/kafka of the repository, from the working directory
// upwards.
func sourceDir() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("kafka: the working directory: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		source := filepath.Join(dir, "testdata", "kafka")
		if _, err := os.Stat(filepath.Join(source, "pom.xml")); err == nil {
			return source, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("kafka: no testdata/kafka above %s: run inside the repository", start)
		}
	}
}

// find looks a program up in PATH.
func find(program, advice string) (string, error) {
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: %s is not in PATH: %s", ErrUnavailable, program, advice)
	}
	if err != nil {
		return "", fmt.Errorf("kafka: looking for %s: %w", program, err)
	}
	return path, nil
}
