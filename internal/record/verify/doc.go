// Package verify holds a result to what lies in its folder.
//
// In: a record, and its folder. Out: a list of [Finding].
//
//  1. [Record] checks the checksums of the files and of the record.
//  2. It reads requests and samples, has package record make the observation again and
//     map it, and compares each figure and warning with the record's.
//  3. What cannot be computed (given.go) is held to the other parts of the folder (bounds.go).
package verify
