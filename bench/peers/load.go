package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// input is the length of every prompt in tokens, its beginning mark included.
const input = 64

// plan is a load that every client runs.
type plan struct {
	name        string
	concurrency int           // of a closed loop; of an open one, which has a rate, the most that will be
	rate        float64       // requests a second; 0: a closed loop
	output      int           // tokens
	pace        time.Duration // of the server, between tokens; 0: at once
	n           int           // requests
}

var loads = []plan{
	{name: "closed", concurrency: 64, output: 128, pace: 20 * time.Millisecond, n: 768},
	{name: "constant", concurrency: 256, rate: 20, output: 128, pace: 20 * time.Millisecond, n: 400},
	{name: "flood", concurrency: 64, output: 128, n: 2048},
	{name: "requests", concurrency: 128, output: 4, n: 8192},
}

// header says what a load is, and names the columns.
func (l plan) header() string {
	what := fmt.Sprintf("a closed loop of %d", l.concurrency)
	if l.rate > 0 {
		what = fmt.Sprintf("%g requests a second", l.rate)
	}
	when := "the server writes them at once"
	if l.pace > 0 {
		when = fmt.Sprintf("the server writes one every %v", l.pace)
	}
	return fmt.Sprintf("\n# %s: %s; %d tokens in, %d out, %s; %d requests\n", l.name, what, input, l.output, when, l.n) + columns()
}

// job is one run of one client.
type job struct {
	plan
	url       string
	tokenizer string // folder
	dir       string // of the client's own, and empty
	prompts   []string
}

// prompts are n texts of which each word is one token of images/tinymodel, and
// none begins as another does.
func prompts(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]string, n)
	for i := range out {
		words := make([]string, input-1)
		for k := range words {
			words[k] = string("bdfghjklmnprstvz"[rng.IntN(16)]) + string("aeiou"[rng.IntN(5)])
		}
		out[i] = strings.Join(words, " ")
	}
	return out
}

// lines writes one JSON value per prompt.
func (j job) lines(file string, of func(prompt string) any) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	e := json.NewEncoder(f)
	for _, p := range j.prompts[:j.n] {
		if err := e.Encode(of(p)); err != nil {
			return err
		}
	}
	return f.Close()
}
