package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// InspectRemote counts the parameters of a model on the hub without downloading
// it, from its config.json and the headers of its safetensors files, of which
// only these bytes are asked for. Errors are those of Pull, and ErrUnsupported.
func InspectRemote(ctx context.Context, o Options) (Parameters, error) {
	repo, file, remote := o.repo()
	if !remote || file != "" || !hubID.MatchString(repo) {
		return Parameters{}, fmt.Errorf("%w: %s is no model of the hub with safetensors", ErrUnsupported, o.Model)
	}
	cl, err := newClient(o)
	if err != nil {
		return Parameters{}, fmt.Errorf("inspect %s: %w", o.Model, err)
	}
	p, err := cl.inspect(ctx, repo, o.revision())
	if err != nil {
		return Parameters{}, fmt.Errorf("inspect %s: %w", o.Model, cl.explain(err, repo, o.revision(), "config.json"))
	}
	return p, nil
}

func (c *client) inspect(ctx context.Context, repo, revision string) (Parameters, error) {
	at := url.PathEscape(revision)
	open := c.opener(ctx, repo, at)
	r, _, err := open("config.json")
	if err != nil {
		return Parameters{}, err
	}
	defer r.Close()
	cfg, err := parseConfigFrom(r)
	if err != nil {
		return Parameters{}, fmt.Errorf("%w: config.json: %v", ErrUnsupported, err)
	}
	p, err := fromSafetensors(files{open: open}, &cfg)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errPacked) {
		return cfg.closed(err)
	}
	return p, err
}

// opener opens files on the hub. One that is not there is os.ErrNotExist.
func (c *client) opener(ctx context.Context, repo, revision string) func(name string) (io.ReadCloser, int64, error) {
	return func(name string) (io.ReadCloser, int64, error) {
		f := &ranged{ctx: ctx, client: c, path: address(repo, revision, name)}
		byteRange := ""
		if strings.HasSuffix(name, ".safetensors") {
			byteRange = "0-7" // the length of the header, which is read next
		}
		resp, err := f.ask(byteRange)
		var s status
		if errors.As(err, &s) && s.code == http.StatusNotFound {
			return nil, 0, fmt.Errorf("%s: %w: %w", name, os.ErrNotExist, s)
		}
		if err != nil {
			return nil, 0, err
		}
		if resp.StatusCode == http.StatusOK { // the server knows no ranges; what is not read is not sent
			return resp.Body, max(resp.ContentLength, 0), nil
		}
		defer resp.Body.Close()
		size, err := sizeOf(resp.Header.Get("Content-Range"))
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", name, err)
		}
		head, err := io.ReadAll(io.LimitReader(resp.Body, 8))
		f.at, f.head = int64(len(head)), bytes.NewReader(head)
		return f, size, err
	}
}

// sizeOf reads the size of a file in "bytes 0-7/12345".
func sizeOf(contentRange string) (int64, error) {
	_, size, _ := strings.Cut(contentRange, "/")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the hub answers with the range %q", contentRange)
	}
	return n, nil
}

// ranged reads a file on the hub. Each Read beyond its first bytes is a request
// for what it asks.
type ranged struct {
	ctx    context.Context
	client *client
	path   string
	at     int64
	head   *bytes.Reader
}

func (f *ranged) ask(byteRange string) (*http.Response, error) {
	var out *http.Response
	err := f.client.persist(f.ctx, still, func() error {
		resp, err := f.client.ask(f.ctx, f.path, byteRange) //nolint:bodyclose // the caller closes it
		out = resp
		return err
	})
	return out, err
}

func (f *ranged) Read(p []byte) (int, error) {
	if f.head.Len() > 0 {
		return f.head.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	resp, err := f.ask(fmt.Sprintf("%d-%d", f.at, f.at+int64(len(p))-1))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, errors.New("the hub answers some ranges and not others")
	}
	n, err := io.ReadFull(resp.Body, p)
	f.at += int64(n)
	return n, err
}

func (f *ranged) Close() error { return nil }
