package launch

import "fmt"

// Secret is a text that prints as REDACTED, however it is printed.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "REDACTED"
}

// GoString is String.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Bearer is the header of a key.
func (s Secret) Bearer() string { return "Bearer " + string(s) }
