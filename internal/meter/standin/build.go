package standin

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The environment variables that the library reads.
const (
	FileEnv = "LLEM_STANDIN"     // path of the shared file
	LogEnv  = "LLEM_STANDIN_LOG" // path of the log of calls; unset: none
)

// Old leaves out of the library the symbols that drivers before R470 lack.
const Old = "-DSTANDIN_OLD"

//go:embed lib/*.c lib/*.h
var source embed.FS

// Build compiles the library with cc and returns the folder that holds it, for
// LD_LIBRARY_PATH. The folder is made once for each source and set of flags, and
// kept in the user's cache. It fails where there is no C compiler.
func Build(flags ...string) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	files, err := source.ReadDir("lib")
	if err != nil {
		return "", fmt.Errorf("build stand-in: %w", err)
	}
	sum := sha256.New()
	_, _ = sum.Write([]byte(strings.Join(flags, " ")))
	for _, f := range files {
		data, err := source.ReadFile("lib/" + f.Name())
		if err != nil {
			return "", fmt.Errorf("build stand-in: %w", err)
		}
		_, _ = sum.Write(data)
	}
	dir = filepath.Join(cache, "llem-standin", hex.EncodeToString(sum.Sum(nil))[:16])
	library := filepath.Join(dir, "libnvidia-ml.so.1")
	if _, err := os.Stat(library); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("build stand-in: %w", err)
	}
	work, err := os.MkdirTemp(dir, "build")
	if err != nil {
		return "", fmt.Errorf("build stand-in: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.CopyFS(work, source); err != nil {
		return "", fmt.Errorf("build stand-in: %w", err)
	}
	// Built aside and renamed, since two test processes may do this at once.
	built := filepath.Join(work, "libnvidia-ml.so.1")
	args := append([]string{"-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", built}, flags...)
	if out, err := exec.Command("cc", append(args, filepath.Join(work, "lib", "nvml.c"))...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build stand-in with cc (a C compiler is needed): %w\n%s", err, out)
	}
	if err := os.Rename(built, library); err != nil {
		return "", fmt.Errorf("build stand-in: %w", err)
	}
	return dir, nil
}
