"""Compression measured: compressors compared on files, and models and data measured by how well they compress.

The rooms, from the top; imports point down only:

* `measures`: one file or folder each, a command of `nzip eval`;
* `benchmark`: sizes, speeds and memory of lossless and lossy codecs, `nzip bench`;
* `distortion`: how far a lossy copy is from its original;
* `compressors`: what is measured: nzip's levels, other compressors, commands of the user's, language models;
* `data`: what is measured on: files, tables, texts, pictures and sounds, the public corpora;
* `harness`: what every run needs: journal, jobs, statistics, tables, drawing, page.
"""
