# JupyterLab with the notebooks, and TensorBoard for the runs; compose.yaml says how to start both.
FROM python:3.12-slim

# One backend to an image, as to a virtualenv: jax or tensorflow.
ARG BACKEND=jax
# Who writes into mounted directories: what `id -u` says outside.
ARG UID=1000
ENV KERAS_BACKEND=${BACKEND}

WORKDIR /home/learner/kerasgan
# These belong to the learner before anything is mounted upon them.
RUN useradd --create-home --uid "${UID}" learner \
    && install --directory --owner learner /home/learner /home/learner/.keras . notebooks runs

COPY pyproject.toml README.md LICENSE ./
COPY kerasgan ./kerasgan
RUN pip install --no-cache-dir ".[${BACKEND},notebooks]"
COPY scripts ./scripts
COPY --chown=learner notebooks ./notebooks

USER learner
EXPOSE 8888 6006
# All addresses of the container; compose.yaml publishes the port on this machine alone. Jupyter reads JUPYTER_TOKEN.
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
