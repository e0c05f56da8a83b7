// Command tinymodel writes a language model of random weights, to start a real
// engine with where there is no model hub: once as a GGUF file, for llama.cpp
// and Ollama, and once as a folder in the layout of Hugging Face, for
// transformers, vLLM and the others. Both hold the same numbers, so that two
// engines can be compared token by token.
//
//	go run ./images/tinymodel --gguf tiny.gguf --hf tiny
//
// It is a Llama of 4.2 million parameters: 4 layers, 256 wide, 2048 tokens. Its
// text means nothing. Each of its words is one token, a space and one or two
// syllables, so that a text has as many tokens as words, after the mark that
// begins a text. It never ends a text by itself, unless --eos is given: then it
// tends to, after some tokens.
//
// The same flags give the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	switch err := run(os.Args[1:], os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "tinymodel:", err)
		os.Exit(2)
	}
}

func run(args []string, usage io.Writer) error {
	flags := flag.NewFlagSet("tinymodel", flag.ContinueOnError)
	flags.SetOutput(usage)
	gguf := flags.String("gguf", "", "write a GGUF `FILE`")
	hf := flags.String("hf", "", "write a `FOLDER` in the layout of Hugging Face")
	seed := flags.Uint64("seed", 1, "what the weights are drawn from")
	eos := flags.Bool("eos", false, "let the model end its texts")
	context := flags.Int("context", 4096, "longest prompt and answer together, in `TOKENS`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: name the outputs with --gguf and --hf", flags.Arg(0))
	case *gguf == "" && *hf == "":
		return errors.New("nothing to write: give --gguf FILE, --hf FOLDER or both")
	case *context < 1:
		return fmt.Errorf("--context %d: want at least 1", *context)
	}
	m := newModel(*seed, *context, *eos)
	if *gguf != "" {
		if err := writeGGUF(*gguf, m); err != nil {
			return fmt.Errorf("write %s: %w", *gguf, err)
		}
	}
	if *hf != "" {
		if err := writeFolder(*hf, m); err != nil {
			return fmt.Errorf("write %s: %w", *hf, err)
		}
	}
	return nil
}
