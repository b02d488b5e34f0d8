package kafka

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// transactionVersion is the finalized feature level brokers are formatted with:
// with it each transaction has its own producer epoch (KIP-890).
const transactionVersion = "transaction.version=2"

// writeProperties fills in the template of the broker's settings and returns the
// path of the result. Later lines win in a properties file, so extra settings
// follow at the end.
func writeProperties(source, dir string, port, controllerPort int, extra map[string]string) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("kafka: the broker's settings: %w", err) }
	tmpl, err := template.ParseFiles(filepath.Join(source, "server.properties"))
	if err != nil {
		return fail(err)
	}
	var text strings.Builder
	err = tmpl.Execute(&text, struct {
		Port, ControllerPort int
		Data                 string
	}{port, controllerPort, filepath.ToSlash(filepath.Join(dir, "data"))})
	if err != nil {
		return fail(err)
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		fmt.Fprintf(&text, "%s=%s\n", name, extra[name])
	}
	path := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fail(err)
	}
	return path, nil
}

// format prepares the data folder that the settings name.
func format(ctx context.Context, java, jars, settings string) error {
	id, err := clusterID()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, java, "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(jars, "*"),
		"kafka.tools.StorageTool", "format", "-t", id, "-c", settings, "--feature", transactionVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kafka: formatting the broker's storage: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// clusterID makes a random id in Kafka's spelling. One that begins with a dash
// would be read as an option.
func clusterID() (string, error) {
	for {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return "", fmt.Errorf("kafka: choosing a cluster id: %w", err)
		}
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text, nil
		}
	}
}
