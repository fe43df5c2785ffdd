"""What `benchmark.py` sets side by side: one file to a way of training the same GAN, each as its own users write it."""
