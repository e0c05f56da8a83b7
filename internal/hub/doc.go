// Package hub finds models on this host and counts their parameters.
//
// [Find] resolves a name to files: a local directory, a .gguf file, or a
// Hugging Face id in the standard cache, whose revision it resolves to a
// commit. It never downloads.
//
// [Inspect] counts parameters, in these steps:
//
//  1. the headers of safetensors files, or of a GGUF file with its parts, give
//     tensors (name, type, shape); else config.json by the closed form of its
//     architecture;
//  2. packed tensors become weights with the parameters that they hold, and scales
//     and zero points are dropped;
//  3. the row of blocks that is the decoder is found, and the role of each weight by
//     its place and shape: body, table of embeddings, output layer, routed expert,
//     block that predicts, part of another modality, unknown;
//  4. the sums are held against the configuration. What does not agree, or is
//     unknown, lowers the confidence and is named in the notes;
//  5. the layers that attend are found, with their windows and widths.
//
// A model that none of this fits has an error that says why; [ByName] then reads
// the size in its name.
//
// [Model.Vocabulary] reads a tokenizer, for the tokens of which synthetic
// prompts are made: words that the tokenizer takes for one token each, alone and
// in any company, so that every engine is given the same tokens whether it takes
// ids or text. Whether they do is worked out, not guessed: the merges or scores
// of each candidate are gone through as the tokenizer would.
package hub
