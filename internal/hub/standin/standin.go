// Package standin is a Hugging Face hub for tests: one model, its listing, its
// files by ranges, large ones behind a redirect to a store of another host, and
// the hub's ways to refuse. It is nobody's but the tests'.
package standin

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Commit is what main is.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// Large is from which size files are large ones, which the store holds.
const Large = 1000

// Hub serves one model, or a dataset, whose Repo is datasets/owner/name. Fields are set
// before it is asked.
type Hub struct {
	Repo  string
	Files map[string][]byte
	// Token that files need; empty: none is asked for.
	Token string
	// Gated: Token is for those alone who accepted a licence.
	Gated bool
	// Corrupt is a file of which a byte is wrong.
	Corrupt string
	// Claim is a size that the listing claims for every file; 0: the truth.
	Claim int64
	// Before answers in place of the hub where it returns true.
	Before func(w http.ResponseWriter, r *http.Request) bool

	URL   string
	hub   *httptest.Server
	store *httptest.Server

	mu      sync.Mutex
	served  int64
	asked   []string
	leaked  bool
	cutAt   int64
	cuts    int
	slow    time.Duration
	deafens bool
}

// Start serves until Close.
func (h *Hub) Start() *Hub {
	h.store = httptest.NewServer(http.HandlerFunc(h.fromStore))
	h.hub = httptest.NewServer(http.HandlerFunc(h.answer))
	h.URL = h.hub.URL
	return h
}

// Close ends it.
func (h *Hub) Close() {
	h.hub.CloseClientConnections()
	h.hub.Close()
	h.store.CloseClientConnections()
	h.store.Close()
}

// Cut breaks the connection off after n bytes of a file's body, so many times.
func (h *Hub) Cut(n int64, times int) { h.mu.Lock(); h.cutAt, h.cuts = n, times; h.mu.Unlock() }

// Slow waits before every 4 KiB of a file.
func (h *Hub) Slow(d time.Duration) { h.mu.Lock(); h.slow = d; h.mu.Unlock() }

// Deafen makes it ignore ranges.
func (h *Hub) Deafen() { h.mu.Lock(); h.deafens = true; h.mu.Unlock() }

// Served are the bytes of files sent since it was last asked.
func (h *Hub) Served() int64 { h.mu.Lock(); defer h.mu.Unlock(); n := h.served; h.served = 0; return n }

// Asked are the requests since it was last asked: method, path and range.
func (h *Hub) Asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.asked
	h.asked = nil
	return out
}

// Leaked is whether the store was ever sent a token.
func (h *Hub) Leaked() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.leaked }

func (h *Hub) note(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
}

func (h *Hub) answer(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	if h.Before != nil && h.Before(w, r) {
		return
	}
	api := "/api/models/" + h.Repo
	if strings.HasPrefix(h.Repo, "datasets/") {
		api = "/api/" + h.Repo
	}
	switch rest, file := strings.CutPrefix(r.URL.Path, "/"+h.Repo+"/resolve/"); {
	case r.URL.Path == api || r.URL.Path == api+"/revision/main" || r.URL.Path == api+"/revision/"+Commit:
		h.list(w)
	case strings.HasPrefix(r.URL.Path, api+"/revision/"):
		refuse(w, http.StatusNotFound, "RevisionNotFound")
	case file:
		revision, name, _ := strings.Cut(rest, "/")
		h.file(w, r, revision, name)
	case h.Token != "" && r.Header.Get("Authorization") == "Bearer "+h.Token:
		refuse(w, http.StatusNotFound, "RepoNotFound")
	default: // as the hub hides what is private
		refuse(w, http.StatusUnauthorized, "RepoNotFound")
	}
}

func refuse(w http.ResponseWriter, code int, word string) {
	w.Header().Set("X-Error-Code", word)
	w.WriteHeader(code)
}

func (h *Hub) list(w http.ResponseWriter) {
	type lfs struct {
		SHA256  string `json:"sha256"`
		Size    int    `json:"size"`
		Pointer int    `json:"pointerSize"`
	}
	type sibling struct {
		Name string `json:"rfilename"`
		Size int    `json:"size"`
		Git  string `json:"blobId"`
		LFS  *lfs   `json:"lfs,omitempty"`
	}
	var out struct {
		ID       string    `json:"id"`
		SHA      string    `json:"sha"`
		Siblings []sibling `json:"siblings"`
	}
	out.ID, out.SHA = h.Repo, Commit
	for name, data := range h.Files {
		s := sibling{Name: name, Size: len(data), Git: Git(data)}
		if h.Claim > 0 {
			s.Size = int(h.Claim)
		}
		if len(data) >= Large {
			s.LFS = &lfs{SHA256: SHA256(data), Size: s.Size, Pointer: 130}
		}
		out.Siblings = append(out.Siblings, s)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// Git is git's checksum of a blob, SHA256 that of a large file.
func Git(data []byte) string {
	s := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(s[:])
}

// SHA256 is the checksum of a large file.
func SHA256(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func (h *Hub) file(w http.ResponseWriter, r *http.Request, revision, name string) {
	data, ok := h.Files[name]
	auth := r.Header.Get("Authorization")
	switch {
	case h.Token != "" && h.Gated && auth == "":
		refuse(w, http.StatusUnauthorized, "GatedRepo")
	case h.Token != "" && h.Gated && auth != "Bearer "+h.Token:
		refuse(w, http.StatusForbidden, "GatedRepo")
	case h.Token != "" && auth != "Bearer "+h.Token:
		refuse(w, http.StatusUnauthorized, "")
	case revision != Commit && revision != "main":
		refuse(w, http.StatusNotFound, "RevisionNotFound")
	case !ok:
		refuse(w, http.StatusNotFound, "EntryNotFound")
	case len(data) >= Large:
		http.Redirect(w, r, h.store.URL+"/"+name+"?X-Amz-Signature=signed", http.StatusFound)
	default:
		h.send(w, r, name, data)
	}
}

func (h *Hub) fromStore(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if r.Header.Get("Authorization") != "" {
		h.mu.Lock()
		h.leaked = true
		h.mu.Unlock()
	}
	h.send(w, r, name, h.Files[name])
}

func (h *Hub) send(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	h.mu.Lock()
	cut := h.cuts > 0 && h.cutAt < int64(len(data))
	if cut {
		h.cuts--
	}
	b := &body{ResponseWriter: w, hub: h, left: h.cutAt, cut: cut, slow: h.slow}
	deaf := h.deafens
	h.mu.Unlock()
	if name == h.Corrupt {
		data = slices.Clone(data)
		data[len(data)/2] ^= 1
	}
	if deaf {
		r.Header.Del("Range")
	}
	http.ServeContent(b, r, "", time.Time{}, bytes.NewReader(data))
}

// body counts what is sent, and breaks off where it is told to.
type body struct {
	http.ResponseWriter
	hub  *Hub
	left int64
	cut  bool
	slow time.Duration
}

func (b *body) Write(p []byte) (int, error) {
	const chunk = 4 << 10
	for sent := 0; sent < len(p); {
		part := p[sent:min(len(p), sent+chunk)]
		if b.cut && int64(len(part)) > b.left {
			part = part[:b.left]
		}
		time.Sleep(b.slow)
		n, err := b.ResponseWriter.Write(part)
		if f, ok := b.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		sent += n
		b.left -= int64(n)
		b.hub.mu.Lock()
		b.hub.served += int64(n)
		b.hub.mu.Unlock()
		if err != nil {
			return sent, err
		}
		if b.cut && b.left == 0 {
			panic(http.ErrAbortHandler)
		}
	}
	return len(p), nil
}
