// Package dataset reads prompts from files: one file and one row of its table for each
// format.
//
//  1. What comes in is a file's path, and what the user says of its columns ([Options]).
//  2. The format is that of the file's extension (format). It gives the rows in order.
//  3. A row becomes a prompt by the user's column or template, else by what the names of
//     its columns say. Text that nothing says anything of is an error.
//  4. What goes out is the prompts, none empty and no two the same, with the file's
//     SHA-256, the template and what was left out ([Cache.Read]).
//
// No length or count in a file is believed before it is checked, and every row has a limit.
// A new format is a file with its row, the row's name in formats, and test data.
package dataset
