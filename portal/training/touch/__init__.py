"""Pointing at pictures and putting things in order, by finger, mouse and keys, over the forms of practice and exams."""
