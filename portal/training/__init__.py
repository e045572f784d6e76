"""Training: courses, lessons and banks of questions, and the room where everybody may read them."""
