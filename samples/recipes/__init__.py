"""One recipe a task: how to write its questions and, where there is one right answer, what it is."""
