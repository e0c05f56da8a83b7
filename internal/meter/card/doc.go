// Package card knows what has been found out of the power sensors of cards, which their
// drivers do not tell. It is all that llem knows of single models and generations.
//
// In: a [device.Device], as a meter describes it or a record holds it. Out: what package
// measure computes with.
//
//  1. [SensorsOf] is what is known of the sensors, with the refresh that was measured.
//  2. [GainOf] is how far the sensors may be off in proportion, [ScopeOf] whose energy
//     they give.
//  3. [Counts] says whether such a card has an energy counter.
//
// A card that no table here lists, of any vendor, is taken for the worst that was found on
// any. Nothing here does I/O, so that a record is verified by the functions that made it.
package card
