package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// remoteFile is a file of a revision on the hub.
type remoteFile struct {
	Name string
	Size int64
	Sum  string // SHA-256 of a large file (64 digits), else git's SHA-1 of a blob (40); it names the file in the cache
}

// revision is a commit on the hub.
type revision struct {
	commit string
	files  []remoteFile
}

// listing is the hub's own answer.
type listing struct {
	SHA      string `json:"sha"`
	Siblings []struct {
		Name string `json:"rfilename"`
		Size int64  `json:"size"`
		Git  string `json:"blobId"`
		LFS  *struct {
			SHA256 string `json:"sha256"`
			Size   int64  `json:"size"`
		} `json:"lfs"`
	} `json:"siblings"`
}

const maxListing = 64 << 20

var sum = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// resolve asks what a revision is and what files it has.
func (c *client) resolve(ctx context.Context, repo, name string) (revision, error) {
	var l listing
	ask := func(path string) error {
		return c.persist(ctx, still, func() error { return c.json(ctx, path, &l) })
	}
	api := "/api/models/" + repo
	if strings.HasPrefix(repo, datasets) {
		api = "/api/" + repo
	}
	err := ask(api + "/revision/" + url.PathEscape(name) + "?blobs=true")
	var s status
	if errors.As(err, &s) && s.code == http.StatusNotFound && s.hub == "" && ask(api) == nil {
		s.hub = "RevisionNotFound" // the repository is there
		err = s
	}
	if err != nil {
		return revision{}, c.explain(err, repo, name, "")
	}
	if !commit.MatchString(l.SHA) {
		return revision{}, fmt.Errorf("%s answers for %s without a commit: is HF_ENDPOINT a Hugging Face hub", c.endpoint.Host, repo)
	}
	rev := revision{commit: l.SHA}
	for _, s := range l.Siblings {
		f := remoteFile{Name: s.Name, Size: s.Size, Sum: s.Git}
		if s.LFS != nil {
			f.Size, f.Sum = s.LFS.Size, s.LFS.SHA256
		}
		if !filepath.IsLocal(f.Name) || strings.ContainsAny(f.Name, "\\\x00") || f.Size < 0 || !sum.MatchString(f.Sum) {
			return revision{}, fmt.Errorf("%s lists %q of %s without a name, size or checksum to go by", c.endpoint.Host, f.Name, repo)
		}
		rev.files = append(rev.files, f)
	}
	return rev, nil
}

func (c *client) json(ctx context.Context, path string, into any) error {
	resp, err := c.ask(ctx, path, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxListing+1))
	if err != nil {
		return c.broken(ctx, err)
	}
	if len(data) > maxListing {
		return fmt.Errorf("%s answers with more than %d bytes, which llem does not read: is HF_ENDPOINT a Hugging Face hub", c.endpoint.Host, maxListing)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s does not answer as a Hugging Face hub does: %w", c.endpoint.Host, err)
	}
	return nil
}

// address is where a file's bytes are, under the endpoint.
func address(repo, commit, name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/" + repo + "/resolve/" + commit + "/" + strings.Join(parts, "/")
}

// aside are the extensions of what engines read beside weights.
var aside = []string{".json", ".txt", ".model", ".jinja", ".py", ".tiktoken", ".vocab"}

// pick chooses what an engine needs of files: one format of weights, and the
// small files beside them; of a GGUF file all its parts. Formats that repeat
// the weights are left out.
func pick(files []remoteFile, file string, small bool) ([]remoteFile, error) {
	if file != "" {
		return pickGGUF(files, file)
	}
	var out, weights []remoteFile
	for _, f := range files {
		if slices.Contains(aside, path.Ext(f.Name)) && (!strings.Contains(f.Name, "/") || path.Ext(f.Name) == ".jinja") {
			out = append(out, f)
		}
	}
	if small {
		return out, nil
	}
	for _, ext := range []string{".safetensors", ".bin", ".pt", ".gguf"} {
		if weights = weightsOf(files, ext); len(weights) > 0 {
			break
		}
	}
	if len(weights) > 1 && path.Ext(weights[0].Name) == ".gguf" {
		return nil, fmt.Errorf("%w: it has several GGUF files, of which one is to be named as owner/name/FILE: %s", ErrNotFound, names(weights))
	}
	if len(weights) == 0 {
		return nil, fmt.Errorf("%w: it has no weights: neither safetensors, PyTorch nor GGUF files", ErrNotFound)
	}
	return append(out, weights...), nil
}

// weightsOf are the files of one format that stand at the top. Mistral's
// consolidated ones repeat the others.
func weightsOf(files []remoteFile, ext string) []remoteFile {
	var out, consolidated []remoteFile
	for _, f := range files {
		switch {
		case strings.Contains(f.Name, "/") || path.Ext(f.Name) != ext || f.Name == "training_args.bin":
		case strings.HasPrefix(f.Name, "consolidated"):
			consolidated = append(consolidated, f)
		default:
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return consolidated
	}
	return out
}

// part is the number of a split GGUF file.
var part = regexp.MustCompile(`-\d{5}-of-(\d{5})\.gguf$`)

// IsPart says that a name is of a GGUF file in parts.
func IsPart(name string) bool { return part.MatchString(name) }

func pickGGUF(files []remoteFile, file string) ([]remoteFile, error) {
	var out, all []remoteFile
	m := part.FindStringSubmatchIndex(file)
	for _, f := range files {
		if path.Ext(f.Name) == ".gguf" {
			all = append(all, f)
		}
		n := part.FindStringSubmatchIndex(f.Name)
		if f.Name == file || m != nil && n != nil && f.Name[:n[0]] == file[:m[0]] && f.Name[n[2]:] == file[m[2]:] {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: it has no file %s, but %s", ErrNotFound, file, names(all))
	}
	return out, nil
}

func names(files []remoteFile) string {
	const most = 12
	var out []string
	for i, f := range files {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(files)-most))
			break
		}
		out = append(out, f.Name)
	}
	if len(out) == 0 {
		return "none of that kind"
	}
	return strings.Join(out, ", ")
}
