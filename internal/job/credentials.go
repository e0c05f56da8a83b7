package job

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
)

// Credentials are what every request to the server carries, and nothing else does.
type Credentials struct {
	key    launch.Secret
	From   string      // where the key comes from; empty: no key
	Header http.Header // with the key; nil: not looked for
}

// Variables that hold the server's key, and lines of further headers for it.
const (
	keyVariable     = "LLEM_API_KEY"
	headersVariable = "LLEM_HEADERS"
)

// findKey reads what the server is to be asked with. From here on no text of the run
// shows any of it.
func (f *Finder) findKey(j *Job) error {
	g := j.Experiment.Engine
	key, from, err := secretText(f.APIKey, keyVariable, g.APIKeyFile, "engine.api_key_file")
	if err != nil {
		return config(err)
	}
	c := Credentials{From: from, Header: http.Header{}}
	if from != "" {
		if c.key, err = engine.ParseKey(key); err != nil {
			return launch.Faultf(launch.ConfigFault, "%s: %w", from, err)
		}
	}
	lines, by, err := secretText(f.Headers, headersVariable, g.HeadersFile, "engine.headers_file")
	if err != nil {
		return config(err)
	}
	if by != "" {
		if c.Header, err = engine.ParseHeaders(lines); err != nil {
			return launch.Faultf(launch.ConfigFault, "%s: %w", by, err)
		}
	}
	if j.Experiment.Hidden = nil; c.Header.Get("Authorization") != "" && c.key != "" {
		return launch.Faultf(launch.ConfigFault, "%s holds a key, and %s an Authorization: leave one of them out", from, by)
	}
	for name, values := range c.Header {
		j.Experiment.Hidden = append(j.Experiment.Hidden, secretsOf(name, values[0])...)
	}
	j.Credentials = c
	j.authorize(c.key, from)
	return nil
}

// authorize has every request carry the key.
func (j *Job) authorize(key launch.Secret, from string) {
	if key == "" {
		return
	}
	j.Credentials.key, j.Credentials.From = key, from
	j.Credentials.Header.Set("Authorization", key.Bearer())
	j.Experiment.Hidden = append(j.Experiment.Hidden, string(key))
}

// shareKey takes the key that the experiment gives its container itself.
func (j *Job) shareKey() {
	if !j.Running() && j.Credentials.key == "" {
		j.authorize(engine.OwnKey(j.Engine, j.Experiment))
	}
}

// secretText is what a variable holds, else what is in a file; from says which.
func secretText(value, variable, path, key string) (text, from string, err error) {
	switch {
	case value != "":
		return value, variable, nil
	case path == "":
		return "", "", nil
	}
	from = fmt.Sprintf("%s (%s)", key, path)
	if text, err = readSecret(path); err != nil {
		return "", "", fmt.Errorf("%s: %w", key, err)
	}
	return text, from, nil
}

// mostSecret is the largest file of a key or of headers.
const mostSecret = 64 << 10

// readSecret reads a file as ssh reads a private key: one that is the reader's own and
// that others may read is refused.
func readSecret(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); ok && int(owner.Uid) == os.Geteuid() && st.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s may be read by others (mode %04o): run `chmod 600 %s`", path, st.Mode().Perm(), path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, mostSecret+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if len(data) > mostSecret {
		return "", fmt.Errorf("%s is over %d bytes: it holds no key", path, mostSecret)
	}
	return string(data), nil
}

// sureHeader is from which length on a header's value is no word that texts have anyway.
const sureHeader = 8

// secretsOf is what texts must not show of a header: its value, and what follows a scheme
// in it.
func secretsOf(name, value string) (out []string) {
	secret := engine.SecretHeader(name)
	if len(value) >= sureHeader || secret {
		out = append(out, value)
	}
	if _, rest, ok := strings.Cut(value, " "); ok && secret && rest != "" {
		out = append(out, rest)
	}
	return out
}
