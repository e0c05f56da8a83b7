package hub

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What a fingerprint samples of a file: its ends and pieces between them at even
// distances. A file that is no longer than that is read whole.
const (
	fingerprintEnd    = 1 << 20
	fingerprintPiece  = 64 << 10
	fingerprintPieces = 16
	fingerprintWhole  = 2*fingerprintEnd + fingerprintPieces*fingerprintPiece
)

// weightFiles are the extensions of weights.
var weightFiles = []string{".safetensors", ".bin", ".pt", ".pth", ".gguf", ".engine"}

// Fingerprint tells the files of a local model from others: "sha256:" and a digest
// over the sorted names, sizes and samples of its weights, configuration and
// tokenizer. 3 MiB of a file are read at most, so that weights that were trained
// further differ and a large model takes no minutes; a change of single bytes
// between the samples is not seen. It is empty of a model from the hub, whose
// commit tells more. Errors are of the file system.
func Fingerprint(m Model) (string, error) {
	if m.Commit != "" {
		return "", nil
	}
	files, err := m.matter()
	if err != nil {
		return "", fmt.Errorf("fingerprint of %s: %w", m.Path, err)
	}
	sum := sha256.New()
	for _, file := range files {
		if err := sample(sum, file); err != nil {
			return "", fmt.Errorf("fingerprint of %s: %w", m.Path, err)
		}
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}

// matter lists the files that make the model, sorted by name: a GGUF file with
// all its parts, or what stands at the top of a folder and an engine reads.
func (m Model) matter() ([]string, error) {
	if strings.HasSuffix(m.Path, ".gguf") {
		if at := part.FindStringSubmatchIndex(m.Path); at != nil {
			return filepath.Glob(escape(m.Path[:at[0]]) + "-?????-of-" + m.Path[at[2]:at[3]] + ".gguf")
		}
		return []string{m.Path}, nil
	}
	entries, err := os.ReadDir(m.Path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path, ext := filepath.Join(m.Path, e.Name()), filepath.Ext(e.Name())
		if !slices.Contains(aside, ext) && !slices.Contains(weightFiles, ext) || e.Name() == "training_args.bin" {
			continue
		}
		if st, err := os.Stat(path); err != nil { // of what a link leads to
			return nil, err
		} else if st.Mode().IsRegular() {
			out = append(out, path)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) })
	return out, nil
}

// escape makes a pattern of Glob that matches path alone.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// sample writes a file's name, size and samples.
func sample(to io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	size := st.Size()
	fmt.Fprintf(to, "%q %d\n", filepath.Base(path), size)
	if size <= fingerprintWhole {
		_, err = io.Copy(to, f)
		return err
	}
	read := func(at, n int64) {
		if err == nil {
			_, err = io.Copy(to, io.NewSectionReader(f, at, n))
		}
	}
	read(0, fingerprintEnd)
	for i := range int64(fingerprintPieces) {
		read(fingerprintEnd+(size-2*fingerprintEnd-fingerprintPiece)/(fingerprintPieces-1)*i, fingerprintPiece)
	}
	read(size-fingerprintEnd, fingerprintEnd)
	return err
}
