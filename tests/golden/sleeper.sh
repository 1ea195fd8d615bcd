#!/bin/sh
# Takes any words and never answers: what a look at a model must survive (engine/live/vetting.rs).
exec sleep 600
