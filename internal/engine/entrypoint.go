package engine

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/study"
)

// An image's entrypoint decides what is passed to it: flags alone where it runs the
// engine, the whole command where it runs what it is given, one word where it is a
// shell's -c.

// wrappers run the command that follows them, after options and --.
var wrappers = regexp.MustCompile(`^(tini|tini-static|docker-init|dumb-init|catatonit|env|nice|nohup|exec|nvidia_entrypoint\.sh|docker-entrypoint\.sh)$`)

// variable is one that env sets.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

var (
	shells  = regexp.MustCompile(`^(sh|bash|dash|ash|zsh|ksh)$`)
	pythons = regexp.MustCompile(`^python[0-9.]*$`)
	passed  = regexp.MustCompile(`\$[@*]|\$\{[@*]\}`) // a script's own arguments
)

// entrypointOf is the image's, or the one that the user put in its place.
func entrypointOf(e study.Experiment, h Host) []string {
	if own := e.Engine.Container.Entrypoint; len(own) > 0 {
		return own
	}
	return h.Image.Entrypoint
}

// unwrapped is an entrypoint without the wrappers before its program.
func unwrapped(words []string) []string {
	for len(words) > 0 && wrappers.MatchString(path.Base(words[0])) {
		words = words[1:]
		for len(words) > 0 && (strings.HasPrefix(words[0], "-") || variable.MatchString(words[0])) {
			words = words[1:]
		}
	}
	return words
}

// head is what is passed before the flags: nothing where the entrypoint runs the
// engine's program, what is missing of cli where it is the beginning of that, else
// the whole command.
func head(e study.Experiment, h Host, program string, cli []string, whole ...string) []string {
	words := unwrapped(entrypointOf(e, h))
	for n := len(cli) - 1; n > 0; n-- {
		if len(words) >= n && path.Base(words[len(words)-n]) == cli[0] && slices.Equal(words[len(words)-n+1:], cli[1:n]) {
			return slices.Clone(cli[n:])
		}
	}
	if starts(e, h, program) {
		return nil
	}
	return whole
}

// starts says whether the entrypoint runs the engine's program already, so that
// flags alone are passed. One of another name does in an image whose label names
// the engine: who writes the label writes an entrypoint that takes its flags.
func starts(e study.Experiment, h Host, program string) bool {
	labelled := h.Image.Labels[Label] != "" && len(e.Engine.Container.Entrypoint) == 0
	return names(e, h, program) || labelled && !runsCommands(e, h)
}

// names says whether the program is among the entrypoint's words, or in the script
// that it hands its arguments to.
func names(e study.Experiment, h Host, program string) bool {
	words := unwrapped(entrypointOf(e, h))
	if len(words) == 0 {
		return false
	}
	if script, ok := shellScript(words); ok {
		return passed.MatchString(script) && strings.Contains(script, program)
	}
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(path.Base(w), program) })
}

// runsCommands says whether the entrypoint runs what it is given: there is none, or
// it is a wrapper, a shell or Python alone.
func runsCommands(e study.Experiment, h Host) bool {
	words := unwrapped(entrypointOf(e, h))
	if len(words) == 0 {
		return true
	}
	_, shell := shellScript(words)
	return shell || len(words) == 1 && pythons.MatchString(path.Base(words[0]))
}

// shellScript is what a shell is told to run; ok is false where the words run no
// shell, or a file of its commands. It is empty where the next word is the script.
func shellScript(words []string) (script string, ok bool) {
	if !shells.MatchString(path.Base(words[0])) {
		return "", false
	}
	for i, w := range words[1:] {
		switch {
		case !strings.HasPrefix(w, "-"):
			return "", false // a file
		case !strings.HasPrefix(w, "--") && strings.Contains(w, "c"):
			if rest := words[i+2:]; len(rest) > 0 {
				return rest[0], true
			}
			return "", true
		}
	}
	return "", true
}

// arguments is how a command line is passed to the entrypoint. It fails where the
// entrypoint takes none.
func arguments(e study.Experiment, h Host, line []string) ([]string, error) {
	words := unwrapped(entrypointOf(e, h))
	if len(words) == 0 {
		return line, nil
	}
	script, shell := shellScript(words)
	last := words[len(words)-1]
	switch {
	case shell && script != "" && !passed.MatchString(script):
		return nil, fmt.Errorf("the image's entrypoint is %q, which takes no arguments: the engine would not get what llem sets; name the engine's program in engine.container.entrypoint", strings.Join(words, " "))
	case shell && script != "":
		return line, nil
	case shell && len(words) > 1 && !strings.HasPrefix(last, "--") && strings.Contains(last, "c"):
		return []string{"exec " + shellLine(line)}, nil
	case shell:
		return []string{"-c", "exec " + shellLine(line)}, nil
	case len(words) == 1 && pythons.MatchString(path.Base(words[0])) && len(line) > 0 && pythons.MatchString(line[0]):
		return line[1:], nil
	}
	return line, nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+-]+$`)

// shellLine is a command line as a shell reads it.
func shellLine(line []string) string {
	out := make([]string, len(line))
	for i, w := range line {
		if out[i] = w; plainWord.MatchString(w) {
			continue
		}
		out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}
