"""The program that lists archives (`cases.archives` starts it). Standard library only, and zstandard: no Django."""
