// Command faulty is a server for the tests: it answers on /health as it is told,
// shows the token that it was given, and keeps a mark in a folder.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	args := os.Args[1:]
	has := func(flag string) bool { return strings.Contains(" "+strings.Join(args, " ")+" ", " "+flag+" ") }
	fmt.Println("hello from stdout")
	fmt.Fprintln(os.Stderr, "hello from stderr")
	switch {
	case has("exit"):
		fmt.Fprintln(os.Stderr, "no weights")
		os.Exit(5)
	case has("oom"):
		var all [][]byte
		for {
			b := make([]byte, 8<<20)
			for i := range b {
				b[i] = 1
			}
			all = append(all, b)
		}
	case has("deaf"):
		signal.Ignore(syscall.SIGTERM)
	case has("talk"):
		for i := range 2000 {
			fmt.Println(i, strings.Repeat("x", 1000))
		}
	}
	begun := time.Now()
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if has("never") || time.Since(begun) < 300*time.Millisecond {
			http.Error(w, "loading", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		path := os.Getenv("HF_TOKEN_PATH")
		data, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		fmt.Fprintf(w, "%s %v %v uid %d", data, err, info.Mode(), os.Getuid())
	})
	http.HandleFunc("/mark", func(w http.ResponseWriter, r *http.Request) {
		path := r.FormValue("in") + "/mark"
		_, err := os.Stat(path)
		fmt.Fprintf(w, "marked before: %v, marked: %v", err == nil, os.WriteFile(path, []byte("x"), 0o644))
	})
	http.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { os.Exit(9) })
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8000", nil))
}
