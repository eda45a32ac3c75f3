"""The broker's door: who gets in, as whom, and what they may say and hear there."""
