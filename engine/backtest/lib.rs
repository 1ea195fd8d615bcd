//! The same seats in one loop: a journal's recorded input run again and compared.
