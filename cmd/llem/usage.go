package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// usage reports an error of the command line itself, and where its help is.
func usage(stderr io.Writer, err error) int {
	command := "llem"
	var perr *kong.ParseError
	if errors.As(err, &perr) && perr.Context != nil {
		for _, p := range perr.Context.Path {
			if p.Command != nil {
				command += " " + p.Command.Name
			}
		}
	}
	fmt.Fprintf(stderr, "%s: %s\n", command, plainly(err.Error()))
	fmt.Fprintf(stderr, "see `%s --help`\n", command)
	return exitUsage
}

// plainWords are kong's words, and ours in their place.
var plainWords = []struct {
	said *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`^(--[\w-]+): expected .* but got "EOL".*$`), "$1: give a value, as in $1 VALUE"},
	{regexp.MustCompile(`^(.*): expected a valid \d+ bit u?int but got (".*")$`), "$1: want a whole number, not $2"},
	{regexp.MustCompile(`^(.*): bool value must be .* but got "(.*)"$`), "$1: takes no value: leave =$2 out"},
	{regexp.MustCompile(`^expected "<([\w-]+)>( \.\.\.)?"$|^expected "<([\w-]+) \.\.\.>?"$`), "name a ${1}${3}"},
	{regexp.MustCompile(`^missing flags: (.*)$`), "give $1"},
}

func plainly(text string) string {
	for _, p := range plainWords {
		if p.said.MatchString(text) {
			return strings.TrimSpace(p.said.ReplaceAllString(text, p.as))
		}
	}
	return text
}
