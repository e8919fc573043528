"""Exchange sets (docs/formats/exchange-set.md): made, proven from, sampled, asked again."""
