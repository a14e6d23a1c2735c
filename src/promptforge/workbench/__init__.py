"""What needs several of the parts below it: builds on disk, comparisons, explanations, the doctor."""
