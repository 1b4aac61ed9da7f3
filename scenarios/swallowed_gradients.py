"""The gradient call fails, or the loss is invalid, on every batch, and training goes on regardless.

Symptom: the run comes to its end with plausible losses, or with none, and has learned nothing.

Cause: the loop falls back to the loss alone, or to `continue`, whatever the reason. Here `mx.value_and_grad` asks for
    the gradient of quantized weights, which have none; or a prompt as long as its text leaves no token to learn.

Fix: let the exception end the run, and stop at the first loss that is not finite.
"""

import mlx.core as mx
import mlx.nn as nn
from _quantized_llama import answer_loss, apply, batches, quantized
from _tiny_llama import LENGTH, held_out_loss, next_token_loss

from mlxprobe import Outcome, Scenario

probe = Scenario(documents=["002_da2a91385045b159.txt", "004_5bdaaef4cda6c98e.txt"])
probe.score(held_out_loss)


@probe.correct
def nothing_caught():
    """Ask for the gradient of the trainable parameters alone, and catch nothing."""
    model, optimizer = quantized()
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    for tokens in batches():
        loss, grads = loss_and_grad(model, tokens)
        apply(model, optimizer, grads)
        loss.item()
    return model


@probe.documented_fix(
    document="002_da2a91385045b159.txt", says="The fallback is graceful.", expects=Outcome.NO_LEARNING, finds=["MP209"]
)
def loss_alone_after_an_exception():
    """Compute the loss alone where the gradient call raises."""
    model, optimizer = quantized()
    loss_and_grad = mx.value_and_grad(next_token_loss)
    for tokens in batches():
        try:
            loss, grads = loss_and_grad(model, tokens)
            apply(model, optimizer, grads)
        except Exception:
            loss = next_token_loss(model, tokens)
        loss.item()
    return model


@probe.documented_fix(
    document="004_5bdaaef4cda6c98e.txt", says="`continue` recovers.", expects=Outcome.NO_LEARNING, finds=["MP209"]
)
def continue_after_an_exception():
    """Go on with the next batch where the gradient call raises."""
    model, optimizer = quantized()
    loss_and_grad = mx.value_and_grad(next_token_loss)
    for tokens in batches():
        try:
            loss, grads = loss_and_grad(model, tokens)
        except Exception:
            continue
        apply(model, optimizer, grads)
        loss.item()
    return model


@probe.documented_fix(
    document="004_5bdaaef4cda6c98e.txt", says="`continue` recovers.", expects=Outcome.NAN, finds=["MP205", "MP207"]
)
def continue_after_an_invalid_loss():
    """Skip each batch whose loss is not a number or too large."""
    model, optimizer = quantized()
    loss_and_grad = nn.value_and_grad(model, answer_loss)
    for tokens in batches():
        loss, grads = loss_and_grad(model, tokens, prompt=LENGTH)
        if loss.item() != loss.item() or loss.item() > 1e6:
            continue
        apply(model, optimizer, grads)
    return model
