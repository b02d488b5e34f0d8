// Package suppress holds the changes of keys back as a windowing.Suppression says,
// over a store. It is the machinery behind stream.Suppress: an application needs
// the vocabulary, which is in windowing, and nothing from here.
//
// A change waits in the store, and in two queues in memory: one says which key
// leaves next, the other which change is the oldest, so how far the watermark
// behind the operator may go.
package suppress
